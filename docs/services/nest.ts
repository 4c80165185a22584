/** A whole service on Nest: `DESK_TOKEN=… node dist/nest.js FOLDER [PORT]`. @module */
import type { AddressInfo } from 'node:net'
import {
  type ArgumentsHost,
  Body,
  type CanActivate,
  Catch,
  Controller,
  type ExceptionFilter,
  type ExecutionContext,
  HttpException,
  Inject,
  Injectable,
  Module,
  type OnApplicationShutdown,
  Param,
  Post,
  Res,
  UseGuards,
} from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import type { Request, Response } from 'express'
import { type Call, type Faces, openFaces } from './faces.js'

const [folder = 'data', port = '3000'] = process.argv.slice(2)
const token = process.env['DESK_TOKEN'] ?? ''
if (token.length < 16) throw new Error('DESK_TOKEN: at least 16 characters that nobody guesses')
const FACES = Symbol('faces')

@Injectable()
class BackendOnly implements CanActivate {
  constructor(@Inject(FACES) private readonly faces: Faces) {}

  canActivate(context: ExecutionContext): boolean {
    return this.faces.admits(context.switchToHttp().getRequest<Request>().headers.authorization)
  }
}

/** A status, and no word of Nest's. */
@Catch()
class StatusOnly implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost): void {
    const status =
      error instanceof HttpException ? error.getStatus() : ((error as { status?: number }).status ?? 500) // of the parser of bodies
    host.switchToHttp().getResponse<Response>().status(status).end()
  }
}

@Controller('faces')
@UseGuards(BackendOnly)
class FacesController {
  constructor(@Inject(FACES) private readonly faces: Faces) {}

  @Post(':name')
  async call(@Param('name') name: string, @Body() given: unknown, @Res() response: Response): Promise<void> {
    const calls: Readonly<Record<string, Call>> = this.faces.calls
    const call = Object.hasOwn(calls, name) ? calls[name] : undefined
    if (call === undefined) throw new HttpException('', 404)
    const { status, body } = await call(given)
    response.status(status)
    if (body === undefined) response.end()
    else response.json(body)
  }
}

@Module({
  controllers: [FacesController],
  providers: [{ provide: FACES, useFactory: () => openFaces(folder, token) }],
})
class FacesModule implements OnApplicationShutdown {
  constructor(@Inject(FACES) private readonly faces: Faces) {}

  /** After the last answer. */
  async onApplicationShutdown(): Promise<void> {
    await this.faces.close()
  }
}

const app = await NestFactory.create<NestExpressApplication>(FacesModule, { logger: false })
app.disable('x-powered-by')
app.useBodyParser('json', { limit: '64kb', strict: false })
app.useGlobalFilters(new StatusOnly())
process.once('SIGTERM', () => void app.close())
await app.listen(Number(port), '127.0.0.1')
console.log(`listening on ${(app.getHttpServer().address() as AddressInfo).port}`)
